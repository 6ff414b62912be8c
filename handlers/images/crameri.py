"""Colour maps of Fabio Crameri, every fifth colour, linear between them."""

# Colour maps of Fabio Crameri, every fifth colour. Written by scripts/colormaps.py; do not edit.
#
# MIT License
#
# Colormaps in cmcrameri/cm/cmaps:
# Copyright (c) 2020 Fabio Crameri
#
# Python scripts and packaging:
# Copyright (c) 2020 Callum Rollo
#
# Permission is hereby granted, free of charge, to any person obtaining a copy
# of this software and associated documentation files (the "Software"), to deal
# in the Software without restriction, including without limitation the rights
# to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
# copies of the Software, and to permit persons to whom the Software is
# furnished to do so, subject to the following conditions:
#
# The above copyright notice and this permission notice shall be included in all
# copies or substantial portions of the Software.
#
# THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
# IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
# FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
# AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
# LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
# OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
# SOFTWARE.

SEQUENTIAL = {
    "batlow": (
        "011959 06215b 0a285c 0c2f5d 0e365e 0f3c5f 114160 124661 134b61 154f62 185462 1b5862 1e5d62 236060 "
        "28645f 2f675c 356a59 3c6d56 447052 4c724d 537549 5b7745 637a40 6c7c3c 747e38 7d8134 868330 8f862d "
        "99882c a38a2c ad8c2d b78e31 c09036 ca923c d29343 db954b e39754 ea995e f09c69 f59f74 f9a380 fba68c "
        "fdaa97 fdaea2 fdb2ad fdb5b8 fdb9c2 fdbccd fcc0d8 fcc4e3 fbc8ef faccfa"
    ),
}

DIVERGING = {
    "vik": (
        "001261 011a66 02226b 022a70 023175 02397a 03417f 034984 055189 08598f 106294 196b9a 2575a1 337fa8 "
        "4289af 5194b6 619ebd 71a8c4 80b2ca 90bcd1 a0c5d8 b0cfde c0d8e4 cfe0e8 dee6e9 e8e7e5 eee3dc eedbd0 "
        "ecd1c3 e8c8b5 e4bea8 dfb49a dbaa8d d7a081 d39774 cf8e68 cc855d c87c51 c47445 c06b3a bc622f b65824 "
        "af4c18 a5400f 9a3508 8f2b06 852206 7c1b06 731406 6a0d07 620607 590008"
    ),
    "berlin": (
        "9eb0ff 93affa 87adf4 7bacee 6fa9e8 62a6e0 56a2d7 4b9bcd 4194c1 398bb4 3382a8 2f789c 2b6f8f 276683 "
        "245d78 20546c 1d4b61 1a4256 173a4b 143240 122a36 11232c 101c23 11161b 121214 160e0d 1b0b07 210b03 "
        "260d01 2c0e00 330f00 391100 411201 481502 501803 591c07 63210c 6e2813 79301b 843924 8e422e 984c39 "
        "a25544 ac5e4f b6685a c07165 ca7b71 d5857d df8f89 ea9995 f4a3a1 ffadad"
    ),
    "roma_r": (
        "033198 0c3b9c 1344a0 184da4 1b56a8 1e5fac 2167b0 246fb3 2677b7 297fba 2d87bd 308fc1 3597c4 3a9fc7 "
        "41a7cb 49b0ce 53b8d1 5dc1d3 69c9d5 76d1d7 83d8d7 90ded7 9de3d5 a9e7d2 b3e9cd bdeac6 c4eabe cbe8b4 "
        "cfe5a8 d1df9b d2d98d d2d17e cfc86f ccbe62 c8b455 c4aa4a c0a141 bb9739 b78e33 b3862e af7d29 ab7525 "
        "a76d21 a3651e 9f5d1a 9b5517 974d13 92440f 8e3a0b 883008 832504 7e1700"
    ),
}
