"""What makes the files in `data/`: each module is a command of `course`."""
