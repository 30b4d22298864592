#!/usr/bin/env python3
# tools/x86isa.py - turn the x86 encodings table (src/arch/x86/isa/*.isa) into C.
# SPDX-License-Identifier: MIT
"""Reads rows in the format described at the top of int.isa and writes, by --what:
  header    prototypes of translate and vector functions
  tables    the decoder's tables
  coverage  a Markdown page: mnemonics, encodings, features
Rows that overlap without one being a special case of the other, unknown operands, attributes and
features are refused, with file and line."""
import argparse
import re
import sys

PREFIXES = {'NP': {'NP'}, '66': {'66'}, 'F3': {'F3'}, 'F2': {'F2'}, 'NF': {'NP', '66'},
            'F3F2': {'F3', 'F2'}}
ALL_PREFIXES = ('NP', '66', 'F3', 'F2')
MAPS = {'': 'MAP_1BYTE', '0F': 'MAP_0F', '0F38': 'MAP_0F38', '0F3A': 'MAP_0F3A'}
# and the x87 condition codes 0-3, at their places in the status word
FLAGS = {'C': 0x001, 'P': 0x004, 'A': 0x010, 'Z': 0x040, 'S': 0x080, 'O': 0x800,
         '0': 0x100, '1': 0x200, '2': 0x400, '3': 0x4000}

# letter -> (place, is memory possible, is register possible)
PLACES = {
    'A': 'A', 'B': 'B', 'C': 'C', 'D': 'D', 'E': 'E', 'G': 'G', 'H': 'H', 'I': 'I', 'J': 'J', 'L': 'L',
    'M': 'M', 'N': 'N', 'O': 'O', 'P': 'P', 'Q': 'Q', 'R': 'R', 'S': 'S', 'U': 'U', 'V': 'V', 'W': 'W',
    'X': 'X', 'Y': 'Y', 'Z': 'Z',
}
WIDTHS = {
    'b': '1', 'w': '2', 'd': '4', 'q': '8', 't': '10', 'dq': '16', 'qq': '32', 'ss': '4', 'sd': '8',
    'v': 'WIDTH_V', 'z': 'WIDTH_Z', 'y': 'WIDTH_Y', 'x': 'WIDTH_X', 'ps': 'WIDTH_X', 'pd': 'WIDTH_X',
    'xh': 'WIDTH_XH', 'xf': 'WIDTH_XF', 'xe': 'WIDTH_XE', 'p': 'WIDTH_P', 'a': 'WIDTH_A',
    's': 'WIDTH_S', '': 'WIDTH_NONE',
}
GPR = ['AX', 'CX', 'DX', 'BX', 'SP', 'BP', 'SI', 'DI']
FIXED = {}
for _i, _n in enumerate(GPR):
    FIXED[_n] = ('FIX', '2', _i)
    FIXED['e' + _n] = ('FIX', 'WIDTH_Z', _i)     # 16 or 32 bits
    FIXED['r' + _n] = ('FIX', 'WIDTH_V', _i)     # 16, 32 or 64 bits
    FIXED['E' + _n] = ('FIX', '4', _i)
    FIXED['R' + _n] = ('FIX', '8', _i)
for _i, _n in enumerate(['AL', 'CL', 'DL', 'BL', 'AH', 'CH', 'DH', 'BH']):
    FIXED[_n] = ('FIX', '1', _i)
for _i, _n in enumerate(['ES', 'CS', 'SS', 'DS', 'FS', 'GS']):
    FIXED[_n] = ('FIXS', '2', _i)
for _i in range(8):
    FIXED[f'ST{_i}'] = ('ST', '10', _i)
FIXED['STi'] = ('STI', '10', 0)
FIXED['XMM0'] = ('FIXV', '16', 0)
FIXED['1'] = ('ONE', '1', 0)
FIXED['is4'] = ('L', 'WIDTH_X', 0)

FLAG_ATTRS = {
    'lock': 'ROW_LOCK', 'd64': 'ROW_D64', 'f64': 'ROW_F64', 'cpl0': 'ROW_CPL0',
    'aligned': 'ROW_ALIGNED', 'unaligned': 'ROW_UNALIGNED', 'fp': 'ROW_FP', 'x87': 'ROW_X87',
    'x87nowait': 'ROW_X87_NOWAIT', 'nonnative': 'ROW_NONNATIVE', 'nonm': 'ROW_NO_NM',
    'prot': 'ROW_NO_PE', 'wo': 'ROW_VEC_DST_ONLY', 'rw': 'ROW_READ_DST',
    'ulp': 'ROW_ULP',
}
KEY_ATTRS = {'i64', 'o64', 'mem', 'reg', 'os16', 'os32', 'os64', 'os3264'}
ALWAYS_MEM = ('M', 'O', 'X', 'Y')
MAYBE_MEM = ('E', 'W', 'Q')      # by ModRM.mod
MODRM_PLACES = set('CDEGMNPQRSUVW')
PARTS = 'NP|66|F3F2|F3|F2|NF|0F38|0F3A|0F|W0|W1|L0|L1|128|256|LZ|LIG|WIG'
ENCODING = re.compile(r'^(?P<vex>VEX\.)?(?P<mid>(?:(?:' + PARTS + r')\.)*)(?P<op>[0-9A-F]{2})'
                      r'(?P<plus>\+r)?(?P<modrm>/r|/[0-7]|\.[0-9A-F]{2})?$')


class IsaError(Exception):
    pass


class Row:
    """One row.  fields: name -> frozenset of allowed values; absent: all."""

    def __init__(self, path, line, columns, features):
        self.where = f'{path}:{line}'
        if len(columns) < 4:
            raise IsaError(f'{self.where}: a row is ENCODING MNEMONIC OPERANDS HANDLER ATTRS...')
        self.encoding, self.name, operands, self.handler = columns[:4]
        self.fields = {}
        self.attrs = set()
        self.undef = 0
        self.feat = ([], [])
        self.operands = [] if operands == '-' else operands.split(',')
        self.parse_encoding()
        self.parse_operands()
        self.parse_attrs(columns[4:], features)
        self.parse_handler()

    def fail(self, text):
        raise IsaError(f'{self.where}: {self.name}: {text}')

    def limit(self, field, values):
        old = self.fields.get(field)
        new = frozenset(values) if old is None else old & frozenset(values)
        if not new:
            self.fail(f'nothing is left for {field}')
        self.fields[field] = new

    def parse_encoding(self):
        m = ENCODING.match(self.encoding)
        if not m:
            self.fail(f'cannot read encoding {self.encoding!r}')
        self.vex = bool(m['vex'])
        escape = ''
        for token in m['mid'].split('.')[:-1]:
            if token in PREFIXES and 'prefix' not in self.fields:
                self.limit('prefix', PREFIXES[token])
            elif token in ('0F', '0F38', '0F3A') and not escape:
                escape = token
            elif token in ('W0', 'W1'):
                self.limit('w', {int(token[1])})
            elif token in ('L0', 'L1', '128', '256') and self.vex:
                self.limit('l', {int(token in ('L1', '256'))})
            elif token not in ('LIG', 'WIG', 'LZ') or not self.vex:
                self.fail(f'unknown part {token!r} of the encoding')
            elif token == 'LZ':
                self.limit('l', {0})
        if self.vex and not escape:
            self.fail('VEX needs a map')
        if self.vex and 'prefix' not in self.fields:
            self.limit('prefix', {'NP'})
        self.map = MAPS[escape].replace('MAP_0F', 'MAP_VEX_0F') if self.vex else MAPS[escape]
        self.opcode = int(m['op'], 16)
        self.plus = bool(m['plus'])
        if self.plus and self.opcode & 7:
            self.fail('+r on an opcode that is not a multiple of 8')
        modrm = m['modrm']
        self.modrm = bool(modrm)
        self.lig = 'LIG' in m['mid']
        if modrm and modrm[0] == '/' and modrm != '/r':
            self.limit('digit', {int(modrm[1])})
        elif modrm and modrm[0] == '.':
            byte = int(modrm[1:], 16)
            if byte >> 6 != 3:
                self.fail('a full ModRM byte must have mod 3')
            self.limit('mod', {'reg'})
            self.limit('digit', {byte >> 3 & 7})
            self.limit('rm', {byte & 7})

    def parse_operand(self, text):
        """-> (place, register width, memory width, fixed)"""
        if text in FIXED:
            place, width, fixed = FIXED[text]
            return place, width, width, fixed
        if '/' in text:
            reg, mem = text.split('/')
            if not mem.startswith('M') or not reg or reg[0] not in 'ERUVNZQ':
                self.fail(f'unknown operand {text!r}')
            place = {'E': 'E', 'R': 'E', 'U': 'W', 'N': 'Q'}.get(reg[0])
            if not place or reg[1:] not in WIDTHS or mem[1:] not in WIDTHS:
                self.fail(f'unknown operand {text!r}')
            return place, WIDTHS[reg[1:]], WIDTHS[mem[1:]], 0
        if text[:1] not in PLACES or text[1:] not in WIDTHS:
            self.fail(f'unknown operand {text!r}')
        width = WIDTHS[text[1:]]
        place = PLACES[text[0]]
        reg_width = width
        if place in 'WUVHL' and width in ('4', '8') or width == 'WIDTH_NONE' and place == 'V':
            reg_width = '16'
        if place == 'W':
            return place, reg_width, width, 0
        return place, width, width, 0

    def parse_operands(self):
        self.ops = [self.parse_operand(o) for o in self.operands]
        self.imm = []
        if len(self.ops) > 4:
            self.fail('more than four operands')
        places = [o[0] for o in self.ops]
        for place, width, _mem, _fixed in self.ops:
            if place in ('I', 'J', 'A'):
                if width == 'WIDTH_NONE':
                    self.fail('an immediate needs a size')
                self.imm.append(width)
            elif place == 'O':
                self.imm.append('WIDTH_NONE')       # address size
            elif place == 'L':
                self.imm.append('1')
            if place in MODRM_PLACES and not self.modrm:
                self.fail('a ModRM operand without /r or a digit')
        if 'B' in places or 'H' in places:
            if not self.vex:
                self.fail('B and H operands need VEX')
            self.attrs.add('ROW_VVVV')
        if 'Z' in places and not self.plus or self.plus and 'Z' not in places and 'STI' not in places:
            self.fail('+r and a Z operand go together')
        if 'M' in places:
            self.limit('mod', {'mem'})
        if 'U' in places or 'N' in places:
            self.limit('mod', {'reg'})

    def parse_attrs(self, attrs, features):
        for attr in attrs:
            if attr in FLAG_ATTRS:
                self.attrs.add(FLAG_ATTRS[attr])
            elif attr in KEY_ATTRS:
                self.key_attr(attr)
            elif attr.startswith('undef=') and set(attr[6:]) <= set(FLAGS):
                self.undef = sum(FLAGS[f] for f in set(attr[6:]))
            elif attr.startswith('feat='):
                sides = attr[5:].split('|')
                if len(sides) > 2 or len(sides) == 2 and not self.vex:
                    self.fail('feat=A|B is for VEX rows: A for 128 bits, B for 256')
                sets = [side.split('+') for side in sides]
                for name in sum(sets, []):
                    if name not in features:
                        self.fail(f'unknown feature {name!r}')
                self.feat = (sets[0], sets[-1])
            else:
                self.fail(f'unknown attribute {attr!r}')
        if self.modrm:
            self.attrs.add('ROW_MODRM')
        if self.vex:
            self.attrs.add('ROW_VEX')
        if 'ROW_LOCK' in self.attrs and not self.modrm:
            self.fail('lock needs a ModRM destination')

    def key_attr(self, attr):
        if attr in ('mem', 'reg'):
            if not self.modrm:
                self.fail(f'{attr} needs a ModRM byte')
            self.limit('mod', {attr})
        elif attr in ('i64', 'o64'):
            self.limit('mode', {'not64' if attr == 'i64' else '64'})
        else:
            self.limit('opsize', {'os3264': (32, 64)}.get(attr) or {int(attr[2:])})

    def parse_handler(self):
        m = re.match(r'^(vec|x87)\((\w+)\)$', self.handler)
        if not m and not re.match(r'^[a-z]\w*$', self.handler):
            self.fail(f'cannot read handler {self.handler!r}')
        self.vec = m[2] if m else None
        self.tr = 'tr_' + (m[1] if m else self.handler)

    # ---- matching ----
    DOMAINS = {'prefix': ALL_PREFIXES, 'w': (0, 1), 'l': (0, 1), 'mod': ('mem', 'reg'),
               'mode': ('not64', '64'), 'opsize': (16, 32, 64), 'digit': tuple(range(8)),
               'rm': tuple(range(8))}

    def allowed(self, field):
        return self.fields.get(field, frozenset(self.DOMAINS[field]))

    def overlaps(self, other):
        return all(self.allowed(f) & other.allowed(f) for f in self.DOMAINS)

    def within(self, other):
        return (set(self.opcodes()) <= set(other.opcodes()) and
                all(self.allowed(f) <= other.allowed(f) for f in self.DOMAINS))

    def covered(self, other):
        """Nothing is left of this row where the special case `other` stands (XCHG rAX,rAX and NOP)."""
        return not any(other.feat) and all(self.allowed(f) <= other.allowed(f) for f in self.DOMAINS)

    def volume(self):
        n = len(self.opcodes())
        for f in self.DOMAINS:
            n *= len(self.allowed(f))
        return n

    def opcodes(self):
        return range(self.opcode, self.opcode + 8) if self.plus else [self.opcode]

    def key(self):
        names = {'prefix': {p: f'KEY_{p}' for p in ALL_PREFIXES}, 'w': {0: 'KEY_W0', 1: 'KEY_W1'},
                 'l': {0: 'KEY_L0', 1: 'KEY_L1'}, 'mod': {'mem': 'KEY_MEM', 'reg': 'KEY_REG'},
                 'mode': {'not64': 'KEY_NOT64', '64': 'KEY_64'},
                 'opsize': {n: f'KEY_OS{n}' for n in (16, 32, 64)}}
        bits = {'KEY_NP': 0, 'KEY_66': 1, 'KEY_F3': 2, 'KEY_F2': 3, 'KEY_W0': 4, 'KEY_W1': 5,
                'KEY_L0': 6, 'KEY_L1': 7, 'KEY_MEM': 8, 'KEY_REG': 9, 'KEY_NOT64': 10, 'KEY_64': 11,
                'KEY_OS16': 12, 'KEY_OS32': 13, 'KEY_OS64': 14}
        v = 0
        for field, table in names.items():
            for value in self.allowed(field):
                v |= 1 << bits[table[value]]
        for value in self.allowed('digit'):
            v |= 1 << (15 + value)
        for value in self.allowed('rm'):
            v |= 1 << (23 + value)
        return v


def read_features(path):
    """cpuid_features.def -> {name: enumerator}"""
    out = {}
    for m in re.finditer(r'^X86_FEATURE\((\w+),\s*"([^"]+)"', open(path).read(), re.M):
        out[m[2]] = 'X86_FEAT_' + m[1]
    return out


def parse(paths, features):
    rows = []
    for path in paths:
        with open(path) as f:
            for number, text in enumerate(f, 1):
                columns = text.split('#')[0].split()
                if columns:
                    rows.append(Row(path, number, columns, features))
    return rows


def arrange(rows):
    """-> {(map, opcode): rows in matching order}; raises on ambiguity."""
    chains = {}
    for row in rows:
        for opcode in row.opcodes():
            chains.setdefault((row.map, opcode), []).append(row)
    for chain in chains.values():
        for i, a in enumerate(chain):
            for b in chain[:i]:
                if a.modrm != b.modrm:
                    a.fail(f'{b.where} ({b.name}) disagrees about a ModRM byte')
                if not a.overlaps(b):
                    continue
                if a.within(b) == b.within(a):
                    a.fail(f'overlaps {b.name} ({b.where})')
        chain.sort(key=Row.volume)
    for key, chain in chains.items():
        chains[key] = [r for i, r in enumerate(chain) if not any(r.covered(s) for s in chain[:i])]
    return chains


MAP_ORDER = ['MAP_1BYTE', 'MAP_0F', 'MAP_0F38', 'MAP_0F3A', 'MAP_VEX_0F', 'MAP_VEX_0F38', 'MAP_VEX_0F3A']


class Emitter:
    def __init__(self, rows, features):
        self.rows = rows
        self.chains = arrange(rows)
        self.features = features
        self.used = sorted({f for r in rows for s in r.feat for f in s})
        self.masks = [()]
        self.lines = []

    def mask_index(self, names):
        key = tuple(sorted(names))
        if key not in self.masks:
            self.masks.append(key)
        return self.masks.index(key)

    def out(self, text=''):
        self.lines.append(text)

    def header(self):
        self.out('/* Generated by tools/x86isa.py from arch/x86/isa: do not edit.\n'
                 ' * SPDX-License-Identifier: MIT */\n#pragma once\n\n#include "arch/x86/tr.h"\n')
        for name in sorted({r.tr for r in self.rows} - {'tr_vec'}):
            self.out(f'x86_tr_fn {name};')
        for name in sorted({r.vec for r in self.rows if r.vec}):
            self.out(f'ir_native_fn {name};')
        self.out(f'\nenum {{ X86_ISA_FEATURES = {len(self.used)} }};')
        self.out('extern const uint16_t x86_isa_features[]; /* enum x86_feature */')

    def is_any(self, row, chain):
        """Does the row hold wherever the search begins at it?"""
        unknown = set(range(8)).difference(*(r.allowed('digit') for r in chain))
        return (not any(row.feat) and not (unknown and row is chain[-1]) and
                all(row.allowed(f) == set(row.DOMAINS[f]) for f in row.DOMAINS if f != 'digit'))

    def row_text(self, row, opcode, chain):
        ops = [f'{{ PLACE_{place}, {width}, {mem}, {fixed} }}' for place, width, mem, fixed in row.ops]
        mem_ops = sum(1 << n for n, o in enumerate(row.ops) if o[0] in ALWAYS_MEM + MAYBE_MEM)
        always_mem = sum(1 << n for n, o in enumerate(row.ops) if o[0] in ALWAYS_MEM)
        attrs = sorted(row.attrs | ({'ROW_LAST'} if row is chain[-1] else set()) |
                       ({'ROW_ANY'} if self.is_any(row, chain) else set()) |
                       ({'ROW_IMM'} if row.imm else set()))
        imm = row.imm[:2]
        fields = [f'0x{row.key():x}u', ' | '.join(attrs) or '0', row.tr, row.vec or 'NULL',
                  f'"{row.name}"', '{ ' + (', '.join(ops) or '{ 0 }') + ' }',
                  f'{{ {self.mask_index(row.feat[0])}, {self.mask_index(row.feat[1])} }}',
                  '{ ' + ', '.join(['IMM_ADDRESS' if i == 'WIDTH_NONE' else i for i in imm] or ['0']) + ' }',
                  row.map, f'0x{opcode:02x}', f'{{ {mem_ops}, {always_mem} }}', f'0x{row.undef:x}']
        return '\t{ ' + ', '.join(fields) + ' },'

    def tables(self):
        body = []
        first = {}
        index = 1
        for key in sorted(self.chains, key=lambda k: (MAP_ORDER.index(k[0]), k[1])):
            chain = self.chains[key]
            # With ModRM.reg known the search begins at the first row that allows it.  None does: at
            # the last one, which says so.
            first[key] = [index + next((i for i, r in enumerate(chain) if digit in r.allowed('digit')),
                                       len(chain) - 1) for digit in range(8)]
            body += [self.row_text(row, key[1], chain) for row in chain]
            index += len(chain)
        self.out('/* Generated by tools/x86isa.py from arch/x86/isa: do not edit.\n'
                 ' * SPDX-License-Identifier: MIT */\n#include "arch/x86/isa_gen.h"\n\n'
                 '#include "arch/x86/cpuid.h"\n')
        self.out('enum { IMM_ADDRESS = 0xff };\n')
        self.out('const struct x86_row x86_rows[] = {\n\t{ 0 },')
        self.lines += body
        self.out(f'}};\nconst uint16_t x86_row_count = {index};\n')
        self.out('const uint16_t x86_first_row[MAP_COUNT * 256][8] = {')
        for m, o in sorted(first, key=lambda k: (MAP_ORDER.index(k[0]), k[1])):
            self.out(f'\t[{m} * 256 + 0x{o:02x}] = {{ ' + ', '.join(map(str, first[m, o])) + ' },')
        self.out('};\n\nconst uint64_t x86_feat_masks[] = {')
        for names in self.masks:
            bits = [f'BIT({self.used.index(n)})' for n in names]
            self.out('\t' + (' | '.join(bits) or '0') + ',')
        self.out('};\n\nconst uint16_t x86_isa_features[] = {')
        for name in self.used:
            self.out(f'\t{self.features[name]},')
        self.out('\tX86_FEAT_COUNT,\n};\n\nconst char *const x86_isa_feature_names[] = {')
        for name in self.used:
            self.out(f'\t"{name}",')
        self.out('\tNULL,\n};')

    def coverage(self):
        self.out('# x86 instructions\n')
        self.out(f'{len(self.rows)} encodings, {len({r.name for r in self.rows})} mnemonics. '
                 'Generated from `src/arch/x86/isa`.\n')
        self.out('| mnemonic | operands | encoding | needs |\n|---|---|---|---|')
        for row in sorted(self.rows, key=lambda r: r.name):
            needs = ' or '.join(dict.fromkeys('+'.join(s) for s in row.feat if s))
            self.out(f'| {row.name} | {", ".join(row.operands)} | `{row.encoding}` | {needs} |')


def main(argv):
    ap = argparse.ArgumentParser()
    ap.add_argument('--what', choices=('header', 'tables', 'coverage'), required=True)
    ap.add_argument('-o', required=True, dest='out')
    ap.add_argument('inputs', nargs='+', help='*.isa, and the list of features *.def')
    args = ap.parse_args(argv)
    features = {}
    for path in args.inputs:
        if path.endswith('.def'):
            features.update(read_features(path))
    try:
        e = Emitter(parse([p for p in args.inputs if p.endswith('.isa')], features), features)
    except IsaError as err:
        sys.exit(str(err))
    getattr(e, args.what)()
    with open(args.out, 'w') as f:
        f.write('\n'.join(e.lines) + '\n')


if __name__ == '__main__':
    main(sys.argv[1:])
