"""A network as a picture and as text."""
