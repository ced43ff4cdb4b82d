/// The networks of guests and containers inside a hypervisor or OS VM: a bridge for each, with the VM's card on it.
public enum InnerNetwork {
    /// Shell functions for scripts that make them: `make_bridge`.
    public static let script = String(decoding: PackageResources.network_sh, as: UTF8.self)
}
