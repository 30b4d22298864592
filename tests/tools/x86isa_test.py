#!/usr/bin/env python3
"""x86isa_test.py - the generator of the x86 decoder: what it reads, orders and refuses.

SPDX-License-Identifier: MIT
"""
import os
import tempfile

import cases

x86isa = cases.load('tools/x86isa.py')
FEATURES = {'bmi1': 'X86_FEAT_BMI1', 'avx': 'X86_FEAT_AVX', 'avx2': 'X86_FEAT_AVX2', 'aes': 'X86_FEAT_AES'}


def rows(text):
    with tempfile.NamedTemporaryFile('w', suffix='.isa') as f:
        f.write(text)
        f.flush()
        return x86isa.parse([f.name], FEATURES)


def refused(text, word):
    try:
        x86isa.arrange(rows(text))
    except x86isa.IsaError as error:
        assert word in str(error), error
        assert '.isa:' in str(error), 'the place is told'
        return
    raise AssertionError(f'{text!r} was taken')


def test_encoding_parts():
    row = rows('66.0F38.W1.F6/3  X  Gy,Ey  x  feat=bmi1\n')[0]
    assert (row.map, row.opcode, row.modrm) == ('MAP_0F38', 0xf6, True)
    assert row.allowed('prefix') == {'66'} and row.allowed('w') == {1} and row.allowed('digit') == {3}
    assert row.feat == (['bmi1'], ['bmi1'])


def test_opcodes_that_look_like_prefixes():
    assert rows('0F.66/r X Pq,Qq vec(v_x)')[0].opcode == 0x66
    row = rows('F3.0F.1E.FA X - x')[0]
    assert (row.opcode, row.allowed('digit'), row.allowed('rm')) == (0x1e, {7}, {2})
    assert row.allowed('mod') == {'reg'}


def test_vex_defaults_to_no_prefix_and_any_length():
    row = rows('VEX.0F.58/r X Vx,Hx,Wx vec(v_x) feat=avx|avx2')[0]
    assert row.map == 'MAP_VEX_0F' and row.allowed('prefix') == {'NP'} and row.allowed('l') == {0, 1}
    assert row.feat == (['avx'], ['avx2']) and 'ROW_VVVV' in row.attrs


def test_features_add_up():
    assert rows('VEX.66.0F38.DC/r X Vx,Hx,Wx vec(v_x) feat=aes+avx')[0].feat[0] == ['aes', 'avx']


def test_register_and_memory_sizes():
    assert rows('0F.C4/r X Rd/Mb,Vdq vec(v_x)')[0].ops[0] == ('E', '4', '1', 0)
    assert rows('F3.0F.10/r X Vdq,Wss vec(v_x)')[0].ops[1] == ('W', '16', '4', 0)


def test_plus_r_covers_eight_opcodes():
    chains = x86isa.arrange(rows('50+r PUSH Zv push d64'))
    assert sorted(o for _, o in chains) == list(range(0x50, 0x58))


def test_the_special_case_comes_first():
    chain = x86isa.arrange(rows('0F.BC/r BSF Gv,Ev bsf\nF3.0F.BC/r TZCNT Gv,Ev tzcnt feat=bmi1\n'))
    assert [r.name for r in chain['MAP_0F', 0xbc]] == ['TZCNT', 'BSF']


def test_what_a_special_case_covers_goes():
    chains = x86isa.arrange(rows('90+r XCHG Zv,rAX x\n90 NOP - nop\n'))
    assert [r.name for r in chains['MAP_1BYTE', 0x90]] == ['NOP']
    assert [r.name for r in chains['MAP_1BYTE', 0x91]] == ['XCHG']


def test_overlaps_are_refused():
    refused('00/r A Eb,Gb a\n00/r B Eb,Gb b\n', 'overlaps A')
    refused('66.0F.10/r A Vdq,Wdq a\nW1.0F.10/r B Vdq,Wdq b\n', 'overlaps A')


def test_disagreement_about_modrm_is_refused():
    refused('NP.0F.10/r A Vdq,Wdq a\n66.0F.10 B - b\n', 'ModRM')


def test_unknown_words_are_refused():
    refused('00/r A Ek,Gb a', "operand 'Ek'")
    refused('00/r A Eb,Gb a frobnicate', "attribute 'frobnicate'")
    refused('00/r A Eb,Gb a undef=X', "attribute 'undef=X'")
    refused('00/r A Eb,Gb a feat=mmx9', "feature 'mmx9'")
    refused('0Q/r A Eb,Gb a', 'encoding')
    refused('L1.0F.10/r A Vdq,Wdq a', "part 'L1'")
    refused('00/r A Eb,Gb vec(', 'handler')


def test_contradictions_are_refused():
    refused('00 A Eb,Gb a', 'ModRM')
    refused('00/r A M,Gb a reg', 'mod')
    refused('01+r A Zv a', 'multiple of 8')
    refused('08+r A eAX a', 'Z operand')
    refused('00/r A Eb,Bd a', 'VEX')
    refused('VEX.58/r A Vx,Wx a', 'map')
    refused('00/r A Eb,Gb,Eb,Gb,Eb a', 'four')
    refused('00/r A I,Gb a', 'size')
    refused('00/r A', 'a row is')


def test_tables_name_every_row_once_per_opcode():
    emitter = x86isa.Emitter(rows('40+r INC Zv inc i64\n98 CBW - cbw os16\n'), FEATURES)
    emitter.tables()
    text = '\n'.join(emitter.lines)
    assert text.count('"INC"') == 8 and text.count('"CBW"') == 1
    assert '[MAP_1BYTE * 256 + 0x98] = { 9, 9, 9, 9, 9, 9, 9, 9 }' in text and 'ROW_LAST' in text


def test_rows_that_hold_wherever_the_search_leads_to_them():
    def marked(text):
        emitter = x86isa.Emitter(rows(text), FEATURES)
        emitter.tables()
        return [line.split('"')[1] for line in emitter.lines if 'ROW_ANY' in line]
    assert marked('01/r ADD Ev,Gv add\n') == ['ADD']
    assert marked('8D/r LEA Gv,M lea mem\n40+r INC Zv inc i64\n98 CBW - cbw os16\n') == []
    # /2 to /7 lead to the last row, which has to refuse them
    assert marked('80/0 ADD Eb,Ib add\n80/1 OR Eb,Ib or\n') == ['ADD']
    assert marked(''.join(f'80/{n} A{n} Eb,Ib add\n' for n in range(8))) == [f'A{n}' for n in range(8)]


def test_the_real_table_has_no_ambiguity():
    folder = os.path.join(cases.ROOT, 'src/arch/x86')
    features = x86isa.read_features(os.path.join(folder, 'cpuid_features.def'))
    isa = [os.path.join(folder, 'isa', n) for n in sorted(os.listdir(os.path.join(folder, 'isa')))]
    assert len(x86isa.arrange(x86isa.parse(isa, features))) > 500


if __name__ == '__main__':
    cases.run(globals())
