"""Numbers as text and as static pictures, for pages without widgets."""
