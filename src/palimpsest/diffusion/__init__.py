"""The physics: noise levels, what a network predicts, samplers."""
