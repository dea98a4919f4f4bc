"""What the classic text says, as experiments that could come out otherwise."""
