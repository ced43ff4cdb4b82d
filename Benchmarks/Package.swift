// swift-tools-version: 6.2

import PackageDescription

let strictSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "hyperfresh-benchmarks",
    products: [
        .executable(name: "switch-bench", targets: ["SwitchBench"])
    ],
    dependencies: [
        .package(name: "hyperfresh", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
    ],
    targets: [
        .executableTarget(
            name: "SwitchBench",
            dependencies: [
                .product(name: "HyperFresh", package: "hyperfresh"),
                .product(name: "VirtualMachines", package: "hyperfresh"),
                .product(name: "QMP", package: "hyperfresh"),
                .product(name: "CanaryTesting", package: "hyperfresh"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: strictSettings
        )
    ]
)
