"""Raw images and texts to arrays: readers, decoding and rejects, splits, the on-disk format."""
