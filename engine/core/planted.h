/*
 * Planted bugs: PLANTED(S4_NO_CONFIRM) is 0 unless the file was compiled with
 * -DBUG_S4_NO_CONFIRM.  Each breaks the one rule it is named after;
 * tests/sim/planted.t builds them one by one and wants the simulator to name
 * that rule.  An invariant no planted bug can break is not checked at all.
 */
#ifndef REMUDA_CORE_PLANTED_H
#define REMUDA_CORE_PLANTED_H

#define PLANTED_COMMA_1 0,
#define PLANTED_SECOND(first, second, ...) second
#define PLANTED_PICK(comma_or_junk) PLANTED_SECOND(comma_or_junk 1, 0, 0)
#define PLANTED_VALUE(value) PLANTED_PICK(PLANTED_COMMA_##value)
#define PLANTED_EXPAND(bug) PLANTED_VALUE(bug)
#define PLANTED(name) PLANTED_EXPAND(BUG_##name)

#endif
