"""What the service says about itself: request lines, counters."""
