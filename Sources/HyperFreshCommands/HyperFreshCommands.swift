// HyperFreshCommands
