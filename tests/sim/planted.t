#!/bin/sh
# Each planted bug must be caught by the invariant it is named after: base,
# core, simulator and runner are built once; for each bug only the files that
# name it are built again, with -DBUG_x, and seeds run until one fails.
# All of it is built from a copy of the sources made at the start: an edit
# meanwhile must not mix objects made of different headers.
cd "$(dirname "$0")/../.." || exit 255
out=$(mktemp -d) || exit 255
trap 'rm -rf "$out"' EXIT INT TERM
seeds=${PLANTED_SEEDS:-1000}
n=0

mkdir "$out/tree" &&
	cp --parents engine/base/*.[ch] engine/core/*.[ch] engine/sim/*.[ch] \
		tests/sim/sim.c tests/tap.[ch] "$out/tree" || exit 255
cp -r tests/sim/seeds "$out/tree/tests/sim/" && cd "$out/tree" || exit 255

compile() {	# compile FILE OBJECT FLAGS...
	file=$1 object=$2
	shift 2
	${CC:-gcc} -std=gnu11 -O1 -I. -D_GNU_SOURCE "$@" -c -o "$object" "$file"
}

object_of() { echo "$out/$(echo "$1" | tr / .).o"; }

check() {
	bug=$1
	want=${bug%%_*}
	n=$((n + 1))
	objects=
	for file in $sources; do
		object=$(object_of "$file")
		if grep -q "PLANTED($bug)" "$file"; then
			object=$object.bug
			if ! compile "$file" "$object" "-DBUG_$bug" 2>"$out/errors"; then
				echo "not ok $n - $bug: does not build"
				sed 's/^/# /' "$out/errors"
				return
			fi
		fi
		objects="$objects $object"
	done
	${CC:-gcc} -o "$out/sim" $objects
	"$out/sim" --seeds "$seeds" --want "$want" --jobs 2 >"$out/log" 2>&1
	caught=$(sed -n 's/^# wanted: //p' "$out/log" | head -n 1)
	other=$(sed -n 's/^# seed.* invariant \([A-Za-z0-9]*\).*/\1/p' \
		"$out/log" | sort -u | tr '\n' ' ')
	if [ -n "$caught" ]; then
		echo "ok $n - $bug: $caught"
	else
		echo "not ok $n - $bug: not caught by $want in $seeds seeds (by: $other)"
	fi
}

sources=$(echo engine/base/*.c engine/core/*.c engine/sim/*.c tests/sim/sim.c tests/tap.c)
for file in $sources; do
	compile "$file" "$(object_of "$file")" ||
		{ echo "Bail out! $file does not build"; exit 1; }
done
bugs=$(grep -rhoE 'PLANTED\([A-Z][A-Z0-9_]+\)' engine/core/*.c engine/sim/*.c |
	sed 's/PLANTED(\(.*\))/\1/' | sort -u)
for bug in ${*:-$bugs}; do
	check "$bug"
done
# Every invariant of the list has at least one.
for name in A1 A4 L8 L9 R1 R2 R3 S1 S2 S3 S4 S5 S6 S7 S9 S10 S11 S12 S13 S14 S15 S16 S17 S25 S26 S28; do
	n=$((n + 1))
	case "
$bugs" in
	*"
${name}_"*) echo "ok $n - $name has a planted bug" ;;
	*) echo "not ok $n - $name has no planted bug" ;;
	esac
done
echo "1..$n"
