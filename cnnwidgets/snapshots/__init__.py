"""An Explorer at one moment: its picture, and a state that another one can be brought to."""
