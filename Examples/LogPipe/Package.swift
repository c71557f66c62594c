// swift-tools-version: 6.2

import PackageDescription

let fork = Target.Dependency.product(name: "Fork", package: "swift-fork")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "log-pipe",
    dependencies: [
        // Elsewhere: .package(url: "…/swift-fork", from: "…")
        .package(name: "swift-fork", path: "../.."),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    ],
    targets: [
        // The parent depends on the child so that both are built, and lie side by side.
        .executableTarget(name: "parent", dependencies: [fork, logging, "child"]),
        // A program that knows nothing of its parent.
        .executableTarget(name: "child"),
    ]
)
