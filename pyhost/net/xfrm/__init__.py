"""IPsec: packets that are transformed on their way down and back on the way up. Linux: net/xfrm."""
