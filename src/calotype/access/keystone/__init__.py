"""A real Keystone: whose tokens are accepted, what it withdrew, and what it limits."""
