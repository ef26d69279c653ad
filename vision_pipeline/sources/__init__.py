"""Sources of raw data: the catalogue, downloads, mirrors, a user's own folder, stand-ins."""
