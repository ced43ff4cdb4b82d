import HyperFreshCommands

await CommandLineTool.run()
