/// What remains to be done in the new QEMU after RESUME, because it cannot be had while the old one lives, or not on
/// a command line.
public enum FollowUp: Sendable, Hashable {
    /// Let the VNC display listen on these TCP sockets of the old process: `getfd` each, then one `display-update`
    /// with all of them. Its other settings are on the command line.
    ///
    /// `display-update` knows the first display only, which is the one meant.
    case vncListen(display: String, oldDescriptors: [Int32])
    /// Add a forwarding rule once the old process is gone and its port is free: `hostfwd_add [NETDEV] RULE` (HMP).
    ///
    /// Without a netdev the rule goes to the only user network.
    case hostForward(netdev: String?, rule: String)
}
