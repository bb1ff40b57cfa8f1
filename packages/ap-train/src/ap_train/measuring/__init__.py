"""What a network answers on images, found by one process or by several."""
