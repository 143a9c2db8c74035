"""Labelled pictures from a model that makes them, kept on disk: how they are asked for, drawn, recorded and read."""
