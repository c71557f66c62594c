// swift-tools-version: 6.2

import PackageDescription

let fork = Target.Dependency.product(name: "Fork", package: "swift-fork")

let package = Package(
    name: "parent-child",
    dependencies: [
        // Elsewhere: .package(url: "…/swift-fork", from: "…")
        .package(name: "swift-fork", path: "../..")
    ],
    targets: [
        // The parent depends on the child so that both are built, and lie side by side.
        .executableTarget(name: "parent", dependencies: [fork, "child"]),
        .executableTarget(name: "child", dependencies: [fork]),
    ]
)
