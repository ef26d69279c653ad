"""Where bytes come from: the catalogue, downloads, mirrors, a user's own folder, stand-ins."""
