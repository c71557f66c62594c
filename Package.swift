// swift-tools-version: 6.2

import PackageDescription

let collections: [Target.Dependency] = [
    .product(name: "DequeModule", package: "swift-collections"),
    .product(name: "HeapModule", package: "swift-collections"),
]
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

let package = Package(
    name: "swift-fork",
    products: [
        .library(name: "Fork", targets: ["Fork"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    ],
    targets: [
        .target(name: "CLinux"),
        .target(name: "Reactor", dependencies: ["CLinux", system] + collections),
        .systemLibrary(
            name: "CJSON", pkgConfig: "json-c",
            providers: [.apt(["libjson-c-dev"]), .brew(["json-c"])]
        ),
        .target(name: "JSONCodec", dependencies: ["CJSON"]),
        .target(name: "Wire", dependencies: ["JSONCodec"]),
        .target(name: "Messaging", dependencies: ["Reactor", "Wire", "JSONCodec", system] + collections),
        .target(
            name: "Fork", dependencies: ["Messaging", "Reactor", "Wire", "JSONCodec", logging, system] + collections),
        .testTarget(name: "JSONCodecTests", dependencies: ["JSONCodec"]),
        .target(name: "TestSupport", dependencies: ["Reactor", "Wire"], path: "Tests/TestSupport"),
        .testTarget(name: "ReactorTests", dependencies: ["Reactor", "TestSupport", system]),
        .testTarget(name: "WireTests", dependencies: ["Wire", "JSONCodec", "TestSupport"]),
        .testTarget(
            name: "MessagingTests", dependencies: ["Messaging", "Reactor", "Wire", "JSONCodec", "TestSupport", system]),
        .executableTarget(name: "fixture-child", dependencies: ["Fork", system], path: "Tests/Fixtures/Child"),
        .executableTarget(name: "fixture-raw", path: "Tests/Fixtures/RawChild"),
        .executableTarget(name: "fixture-parent", dependencies: ["Fork"], path: "Tests/Fixtures/Parent"),
        .executableTarget(name: "fixture-peer", dependencies: ["Fork"], path: "Tests/Fixtures/Peer"),
        // Run by the benchmarks.
        .executableTarget(
            name: "fixture-behind", dependencies: ["Messaging", "Reactor", "Wire", "JSONCodec"],
            path: "Tests/Fixtures/Behind"),
        .testTarget(
            name: "ForkTests", dependencies: ["Fork", "JSONCodec", "Messaging", "Reactor", "TestSupport", "Wire"]),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "Fork", "Reactor", "TestSupport", system, logging, "fixture-child", "fixture-raw", "fixture-parent",
            ]
        ),
    ]
)

// The fuzzers link only with `-sanitize=fuzzer`, so they would break an ordinary build.
if Context.environment["FORK_FUZZING"] != nil {
    package.targets += [
        .executableTarget(name: "FuzzJSON", dependencies: ["JSONCodec"], path: "Tests/Fuzzing/FuzzJSON"),
        .executableTarget(
            name: "FuzzFrames", dependencies: ["Messaging", "Reactor", "Wire", "JSONCodec"],
            path: "Tests/Fuzzing/FuzzFrames"),
    ]
}

for target in package.targets where target.type != .system && target.name != "CLinux" {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]
}

// Continuous integration allows no warning; a user's newer compiler may.
if Context.environment["FORK_STRICT"] != nil {
    for target in package.targets where target.type != .system && target.name != "CLinux" {
        target.swiftSettings?.append(.treatAllWarnings(as: .error))
    }
}
