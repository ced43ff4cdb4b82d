/// The version of a QEMU, as it reports it.
public struct QEMUVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 7 in 7.2.22.
    public let major: Int

    /// 2 in 7.2.22.
    public let minor: Int

    /// 22 in 7.2.22.
    public let micro: Int

    /// The package's version, such as `Debian 1:7.2+dfsg-7+deb12u18`; often empty.
    public let package: String

    /// Creates a version from its numbers.
    ///
    /// - Parameters:
    ///   - major: The major number.
    ///   - minor: The minor number.
    ///   - micro: The micro number.
    ///   - package: The package's version.
    public init(major: Int, minor: Int, micro: Int, package: String = "") {
        self.major = major
        self.minor = minor
        self.micro = micro
        self.package = package
    }

    /// Orders by number; ignores the package.
    public static func < (left: QEMUVersion, right: QEMUVersion) -> Bool {
        (left.major, left.minor, left.micro) < (right.major, right.minor, right.micro)
    }

    /// The numbers only: `7.2.22`.
    public var description: String { "\(major).\(minor).\(micro)" }

    init(from reply: QMPReply) throws(QMPError) {
        let numbers = try reply.member("qemu")
        self.init(
            major: try numbers.int("major"),
            minor: try numbers.int("minor"),
            micro: try numbers.int("micro"),
            package: try reply.string("package")
        )
    }
}
