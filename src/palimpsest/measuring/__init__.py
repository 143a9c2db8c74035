"""What a task has come to: samples by fixed noise, real pictures to hold them against, and what was found. Writes nothing."""
