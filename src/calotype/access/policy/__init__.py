"""Policy: who may do what, by Glance's rules and those of the operator."""
