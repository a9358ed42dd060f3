# nothing is allowed
