"""Many runs of one experiment: strategies × seeds × settings, each in a process of its own."""
