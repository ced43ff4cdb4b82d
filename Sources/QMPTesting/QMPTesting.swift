// QMPTesting
