// swift-tools-version: 6.2

import PackageDescription

let fork = Target.Dependency.product(name: "Fork", package: "swift-fork")

let package = Package(
    name: "hand-off",
    dependencies: [
        // Elsewhere: .package(url: "…/swift-fork", from: "…")
        .package(name: "swift-fork", path: "../..")
    ],
    targets: [
        // The server depends on the worker so that both are built, and lie side by side.
        .executableTarget(name: "server", dependencies: [fork, "worker"]),
        .executableTarget(name: "worker", dependencies: [fork]),
    ]
)
