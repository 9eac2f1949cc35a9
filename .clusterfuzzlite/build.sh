#!/usr/bin/env bash
# Builds the fuzz targets for ClusterFuzzLite and OSS-Fuzz, each with its corpus and its dictionary. They set SRC,
# OUT and RUSTFLAGS; FUZZ_OPTIONS are further options of cargo fuzz build.
set -eu -o pipefail
cd "$SRC/httpants/fuzz"
# shellcheck disable=SC2086
cargo +nightly fuzz build --release ${FUZZ_OPTIONS:-}
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
for target in $(cargo +nightly fuzz list); do
    cp "${CARGO_TARGET_DIR:-target}/$host/release/$target" "$OUT/"
    cp "properties/dictionaries/$target.dict" "$OUT/"
    # The names of inputs are their own; the archive needs no folders.
    files=("corpus/$target"/*)
    [ ! -d "found/$target" ] || files+=("found/$target"/*)
    rm -f "$OUT/${target}_seed_corpus.zip"
    python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" "${files[@]}"
done
