"""Small decoders that are trained here from nothing, so that what they know is known to the last bit."""
