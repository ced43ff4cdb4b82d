/// An action in the new QEMU after RESUME, not possible while the old one exists, or not possible on a command line.
public enum FollowUp: Sendable, Hashable {
    /// Make the VNC display listen on these TCP sockets of the old process.
    ///
    /// Send `getfd` for each, then one `display-update` with all of them. The command line has the other settings.
    /// `display-update` changes only the first display, so `display` is always that one.
    case vncListen(display: String, oldDescriptors: [Int32])
    /// Add a forwarding rule once the old process has exited and its port is free: `hostfwd_add [NETDEV] RULE` (HMP).
    ///
    /// Without a netdev, the rule applies to the only user network.
    case hostForward(netdev: String?, rule: String)
}
