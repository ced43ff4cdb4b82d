import Containers
import JSON
import StackFile
import Testing

@Suite struct OCIBundleTests {
    private static let namespaces: [JSONValue] = ["pid", "ipc", "uts", "mount"].map { ["type": .string($0)] }

    private func config(
        namespaces: [JSONValue] = Self.namespaces, mounts: [JSONValue] = [], terminal: Bool = false
    ) -> JSONValue {
        [
            "ociVersion": "1.0.2", "root": ["path": "rootfs", "readonly": false],
            "process": ["args": ["/bin/true"], "cwd": "/", "terminal": .bool(terminal)],
            "mounts": .array(mounts), "linux": ["namespaces": .array(namespaces)],
        ]
    }

    private let spec = ContainerSpec(name: "redis", bundle: "/srv/redis", memory: 256 << 20, card: nil)

    @Test func aPlainBundleHasNoObstacle() throws {
        let mounts: [JSONValue] = ["proc", "sysfs", "tmpfs", "devpts", "mqueue"].map {
            ["type": .string($0), "destination": "/x"]
        }
        #expect(try #require(OCIBundle(json: config(mounts: mounts))).obstacles.isEmpty)
    }

    @Test(arguments: ["pid", "ipc", "uts", "mount"])
    func aNamespaceThatIsMissingIsNamed(kind: String) throws {
        let rest = Self.namespaces.filter { $0["type"]?.string != kind }
        let obstacles = try #require(OCIBundle(json: config(namespaces: rest))).obstacles
        #expect(obstacles.map(\.message) == ["the container has no \(kind) namespace of its own"])
    }

    @Test(arguments: ["user", "cgroup", "time"])
    func aNamespaceThatIsNotMovedIsNamed(kind: String) throws {
        let more = Self.namespaces + [["type": .string(kind)]]
        let obstacles = try #require(OCIBundle(json: config(namespaces: more))).obstacles
        #expect(obstacles.map(\.message) == ["the container has a \(kind) namespace, which cannot be moved"])
    }

    @Test(arguments: ["bind", "cgroup", "overlay", "nfs"])
    func aMountThatLeadsOutIsNamed(kind: String) throws {
        let mount: JSONValue = ["type": .string(kind), "destination": "/data", "source": "/srv"]
        let obstacles = try #require(OCIBundle(json: config(mounts: [mount]))).obstacles
        #expect(obstacles.map(\.message) == ["the mount at /data (\(kind)) refers to something outside the container"])
    }

    @Test func aTerminalIsNamed() throws {
        #expect(try #require(OCIBundle(json: config(terminal: true))).obstacles.count == 1)
    }

    @Test(arguments: [
        JSONValue.null, [], ["root": ["path": "rootfs"]], ["process": ["args": ["/bin/true"]]],
        ["root": ["path": "rootfs"], "process": ["args": []]], ["root": "rootfs", "process": ["args": ["x"]]],
        ["root": ["path": "/srv/rootfs"], "process": ["args": ["x"]]],
        ["root": ["path": "../rootfs"], "process": ["args": ["x"]]],
        ["root": ["path": "./"], "process": ["args": ["x"]]],
    ])
    func whatDescribesNoContainerIsRefused(json: JSONValue) {
        #expect(OCIBundle(json: json) == nil)
    }

    @Test func itsRootMayLieDeeper() throws {
        let bundle = try #require(
            OCIBundle(json: ["root": ["path": "./layers/merged/"], "process": ["args": ["/bin/true"]]]))
        #expect(bundle.rootFolder == "layers/merged")
        let path = bundle.runtimeConfig(of: spec)["root"]?["path"]?.string
        #expect(path == "/run/hyperfresh/containers/redis/bundle/layers/merged")
    }

    @Test func itIsRunWithWhatThePlaceDecides() throws {
        let foreign: JSONValue = ["type": "network", "path": "/run/netns/other"]
        let bundle = try #require(OCIBundle(json: config(namespaces: Self.namespaces + [foreign])))
        let run = bundle.runtimeConfig(of: spec)
        #expect(run["root"]?["path"]?.string == "/run/hyperfresh/containers/redis/bundle/rootfs")
        #expect(run["root"]?["readonly"]?.bool == false)
        #expect(run["linux"]?["cgroupsPath"]?.string == "/hyperfresh/redis")
        #expect(run["linux"]?["resources"]?["memory"]?["limit"]?.integer == 256 << 20)
        let networks = (run["linux"]?["namespaces"]?.array ?? []).filter { $0["type"]?.string == "network" }
        #expect(networks == [["type": "network", "path": "/run/netns/redis"]])
        #expect(run["process"]?["args"] == ["/bin/true"])
        // All other keys are the bundle's own.
        #expect(run["ociVersion"]?.string == "1.0.2")
    }
}
