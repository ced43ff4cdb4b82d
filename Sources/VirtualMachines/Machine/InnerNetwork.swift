/// Bridges for guests and containers inside a hypervisor or OS VM: one for each network, with the VM's card attached.
public enum InnerNetwork {
    /// Shell functions, `make_bridge` among them, to prepend to scripts.
    public static let script = String(decoding: PackageResources.network_sh, as: UTF8.self)
}
