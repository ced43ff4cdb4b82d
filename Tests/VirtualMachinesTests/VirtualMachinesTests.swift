import Testing

/// Tests of stack files and of the machines made from them.
@Suite struct VirtualMachinesTests {}
