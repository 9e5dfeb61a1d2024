"""Parts of the settings panel: the list of presets and the picture of the network."""
