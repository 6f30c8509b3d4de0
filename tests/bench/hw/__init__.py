"""The card alone, in cycles: how near to the wire it comes, and how long a frame is on its way."""
