"""What the suites share: private databases, running servers, accounts, stories."""
