// swift-tools-version: 6.2

import PackageDescription

/// Settings of every Swift target: Swift 6, upcoming features, warnings as errors.
let strictSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let strictCSettings: [CSetting] = [
    .enableWarning("all"),
    .enableWarning("extra"),
    .treatAllWarnings(as: .error),
]

/// Returns a library target.
///
/// A target may import only targets declared above it; Tests/ArchitectureTests checks the imports.
func room(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strictSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: strictSettings)
}

/// Files embedded in the program: the hypervisor's machine definition (from qemu-configs/) and the scripts that run in
/// VMs.
let hypervisorFiles: [Resource] = [
    "Machine/hypervisor.cfg", "Scripts/units.sh", "Scripts/network.sh", "Scripts/guest.sh",
].map { .embedInCode($0) }
let containerFiles: [Resource] = ["Scripts/container.sh", "Scripts/timers.pl"].map { .embedInCode($0) }

let package = Package(
    name: "hyperfresh",
    products: [
        .library(name: "QMP", targets: ["QMP", "JSON", "Linux"]),
        .library(name: "QMPTesting", targets: ["QMPTesting", "QMP", "JSON", "Linux"]),
        .library(name: "CanaryTesting", targets: ["CanaryTesting", "Linux"]),
        .library(name: "HyperFresh", targets: ["HyperFresh", "Guests", "QMP", "JSON", "Linux"]),
        .library(name: "VirtualMachines", targets: ["VirtualMachines", "StackFile"]),
        .executable(name: "hyperfresh", targets: ["hyperfresh"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        // C libraries and shims.
        .systemLibrary(name: "CJSONC", pkgConfig: "json-c", providers: [.apt(["libjson-c-dev"])]),
        .systemLibrary(name: "CGLib", pkgConfig: "gio-2.0", providers: [.apt(["libglib2.0-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(name: "CLinux", cSettings: strictCSettings),

        // What the machine offers: JSON, the kernel, systemd.
        room("JSON", ["CJSONC"]),
        room(
            "Linux",
            [
                "CLinux", .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        room("Systemd", ["CGLib"]),

        // What hyperfresh knows about QEMU, guests, hypervisors and containers.
        room("QMP", ["JSON", "Linux", .product(name: "Logging", package: "swift-log")]),
        room("QMPTesting", ["QMP", "JSON", "Linux"]),
        room("CanaryTesting", ["JSON", "Linux"]),
        room("Handoff"),
        room("Journal", ["Handoff", "JSON", "Linux"]),
        room("QEMUCommandLine", ["JSON"]),
        room(
            "Guests",
            [
                "QEMUCommandLine", "QMP", "JSON", "Linux", .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ]),
        room("StackFile", ["CYAML", "Linux"]),
        room(
            "VirtualMachines",
            [
                "StackFile", "QEMUCommandLine", "QMP", "JSON", "Linux",
                .product(name: "Logging", package: "swift-log"),
            ],
            resources: hypervisorFiles),
        room("Containers", ["VirtualMachines", "StackFile", "JSON"], resources: containerFiles),

        // What hyperfresh does: the library and the command.
        room(
            "HyperFresh",
            [
                "Guests", "VirtualMachines", "StackFile", "Containers", "Journal", "Handoff", "QMP", "JSON", "Linux",
                "Systemd",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        room(
            "HyperFreshCommands",
            [
                "HyperFresh", "Guests", "QMP", "JSON",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .executableTarget(name: "hyperfresh", dependencies: ["HyperFreshCommands"], swiftSettings: strictSettings),

        // Shared by several test targets: feeding mutated input to a parser, running with another umask.
        .target(
            name: "TestTools", dependencies: ["Linux"], path: "Tests/TestTools", exclude: ["Crashers"],
            swiftSettings: strictSettings),

        tests("JSONTests", ["JSON"]),
        tests("LinuxTests", ["Linux", "TestTools"]),
        tests("SystemdTests", ["Systemd", "Linux"]),
        tests(
            "QMPTests",
            [
                "QMP", "QMPTesting", "JSON", "Linux", "TestTools", .product(name: "Logging", package: "swift-log"),
                .product(name: "InMemoryLogging", package: "swift-log"),
            ], resources: [.copy("Fixtures")]),
        tests("HandoffTests", ["Handoff"]),
        tests("JournalTests", ["Journal", "Handoff", "JSON", "Linux", "TestTools"]),
        tests(
            "GuestsTests", ["Guests", "QEMUCommandLine", "QMP", "JSON", "Linux", "TestTools"],
            resources: [.copy("Fixtures")]),
        tests(
            "VirtualMachinesTests", ["VirtualMachines", "StackFile", "QMP", "JSON", "Linux", "TestTools"],
            resources: [.copy("Fixtures")]),
        tests("StackFileTests", ["StackFile", "Linux", "TestTools"], resources: [.copy("Fixtures")]),
        tests("ContainersTests", ["Containers", "VirtualMachines", "StackFile", "JSON"]),
        tests(
            "HyperFreshTests",
            [
                "HyperFresh", "Guests", "VirtualMachines", "StackFile", "Containers", "Handoff", "Journal", "QMP",
                "QMPTesting",
                "CanaryTesting", "JSON", "Linux", "TestTools",
            ]),
        tests("CanaryTestingTests", ["CanaryTesting"]),
        tests("HyperFreshCommandsTests", ["HyperFreshCommands", "CanaryTesting", "Journal", "JSON", "Linux"]),
        tests("ArchitectureTests", []),
        tests(
            "LiveTests",
            [
                "CanaryTesting", "HyperFresh", "VirtualMachines", "Guests", "Journal", "QMP", "QMPTesting", "JSON",
                "Linux",
            ]),
    ]
)
