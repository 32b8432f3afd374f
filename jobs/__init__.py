"""What one starts: the streaming job, train, evaluate, serve, and the `headrace` command."""
