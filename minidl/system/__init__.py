"""What Python and the operating system need: errors, signals, the terminal."""
