"""What goes over the wire: requests understood, answers written."""
