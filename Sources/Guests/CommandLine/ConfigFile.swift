/// QEMU's own configuration format, as `-readconfig` reads it (util/qemu-config.c).
///
/// ```
/// # a comment
/// [group "id"]
///   key = "value"
/// ```
///
/// It is no key file in GLib's sense: a group may stand several times and each stands for an object of its own, and
/// there is no escape inside the quotes.
enum ConfigFile {
    /// Why a file is not in this format.
    struct Malformed: Error {
        let line: Int
        let message: String
    }

    /// The options that have the same effect as the file, in the order of its groups.
    static func options(in text: String) throws(Malformed) -> [CommandLineOption] {
        []
    }
}
