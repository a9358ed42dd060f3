# An empty file is no configuration.
