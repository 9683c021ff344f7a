"""A jigsaw that learns to solve itself: the arg max is a matching, cheap; the sum is a permanent, and is not."""
