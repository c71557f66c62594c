#!/usr/bin/env bash
# Builds the documentation of Fork. A warning is an error: a link that leads nowhere is one.
#
# JSON, MessageLoop and the others that `import Fork` brings along belong to lower modules, which have nothing else that
# is public. SwiftPM would leave them out; here their symbols are given out as Fork's.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/common.sh

output=.build-docs
rm -rf "$output"
mkdir -p "$output/symbols"

quietly "build Fork" swift build --target Fork
directory=$(swift build --show-bin-path)

# Modules in C, which the Swift modules refer to.
includes=(-I "$directory/Modules" -I "$directory/CLinux.build" -I Sources/CJSON)
for map in .build/checkouts/*/Sources/*/include/module.modulemap; do
    if [ -f "$map" ]; then includes+=(-I "$(dirname "$map")"); fi
done
for flag in $(pkg-config --cflags-only-I json-c); do includes+=("$flag"); done
target=$(swift -print-target-info | sed -n 's/.*"unversionedTriple": *"\([^"]*\)".*/\1/p' | head -n 1)

for module in Fork JSONCodec Reactor; do
    quietly "extract the symbols of $module" swift symbolgraph-extract -module-name "$module" -target "$target" \
        "${includes[@]}" -minimum-access-level public -skip-synthesized-members -output-dir "$output/symbols"
    graph=$output/symbols/$module.symbols.json
    sed "s/\"module\":{\"name\":\"$module\"/\"module\":{\"name\":\"Fork\"/" "$graph" > "$graph.edited"
    grep -q '"module":{"name":"Fork"' "$graph.edited"
    mv "$graph.edited" "$graph"
done

# Public for the modules of this package alone, so that the compiler can inline it there.
if grep -q '"Locked"' "$output"/symbols/*.json; then
    echo "docs: Locked is among the symbols that users are shown" >&2
    exit 1
fi

docc=$(dirname "$(command -v swift)")/docc
[ -x "$docc" ] || docc=docc
quietly "convert" "$docc" convert Sources/Fork/Fork.docc --additional-symbol-graph-dir "$output/symbols" \
    --fallback-display-name Fork --fallback-bundle-identifier swift-fork.Fork \
    --warnings-as-errors --output-path "$output/Fork.doccarchive"
echo "The documentation is in $output/Fork.doccarchive. To read it, run"
echo "    python3 -m http.server --bind 127.0.0.1 -d $output/Fork.doccarchive 8080"
echo "and open http://127.0.0.1:8080/documentation/fork"
