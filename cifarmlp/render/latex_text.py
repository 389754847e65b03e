"""Text for pdfLaTeX: escaped, with signs as signs, and long words that may be broken."""

import re
import unicodedata

LETTERS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#",
    "$": r"\$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$",
    "[": "{[}", "]": "{]}", "*": "{*}",  # else, at the beginning of a row, they belong to the end of the last
    "-": "{-}", "`": r"\`{}", '"': "''", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$",
    "−": "$-$", "≤": r"$\le$", "≥": r"$\ge$", "≈": r"$\approx$", "∞": r"$\infty$", "∇": r"$\nabla$",
    "←": r"$\leftarrow$", "→": r"$\to$", "√": r"$\surd$", "²": "$^2$", "³": "$^3$", "°": r"$^\circ$",
    "–": "--", "—": "---", "…": r"\dots{}", "‘": "`", "’": "'", "“": "``", "”": "''", "\u00a0": "~",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "Δ": r"$\Delta$",
    "ε": r"$\epsilon$", "ζ": r"$\zeta$", "η": r"$\eta$", "θ": r"$\theta$", "κ": r"$\kappa$",
    "λ": r"$\lambda$", "Λ": r"$\Lambda$", "μ": r"$\mu$", "µ": r"$\mu$", "ν": r"$\nu$", "ξ": r"$\xi$",
    "π": r"$\pi$", "Π": r"$\Pi$", "ρ": r"$\rho$", "σ": r"$\sigma$", "Σ": r"$\Sigma$", "τ": r"$\tau$",
    "φ": r"$\phi$", "Φ": r"$\Phi$", "χ": r"$\chi$", "ψ": r"$\psi$", "ω": r"$\omega$", "Ω": r"$\Omega$",
    "✓": r"$\surd$", "✗": r"$\times$", "\u200b": r"\allowbreak{}",
    "Ð": "D", "ð": "d", "Đ": "D", "đ": "d", "Þ": "Th", "þ": "th", "Ħ": "H", "ħ": "h", "Ŋ": "Ng", "ŋ": "ng",
    "Ŧ": "T", "ŧ": "t", "ĸ": "k",  # which LaTeX's default encoding of fonts lacks
}  # fmt: skip
LACKING = "ĄąĘęĮįŲųĿŀŉſ"  # in that encoding, too: these lose their accents

# A number by itself: neither part of a word nor of a date.
NUMBER = re.compile(r"(?<![\w.-])-?(?:\d+\.?\d*|\.\d+)(?:[eE]-?\d+)?(?![\w-])")


def escape_latex(text: str) -> str:
    r"""Return text escaped for LaTeX; unknown letters become their ASCII parts, or else their code points.

    >>> print(escape_latex("50 % of λ_1 ﬁ 中"))
    50 \% of $\lambda$\_1 fi {[}U+4E2D{]}
    """
    signed = NUMBER.sub(lambda number: number[0].replace("-", "−"), " ".join(text.split()))
    return "".join(LETTERS.get(c) or _letter(c) for c in signed)


def _letter(letter: str) -> str:
    if letter not in LACKING and letter.isprintable() and (letter.isascii() or "ª" <= letter < "\u0180"):
        return letter
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    known = "".join(LETTERS.get(c, c) for c in plain if c.isprintable())
    return known or f"{{[}}U+{ord(letter):04X}{{]}}"


def breakable(text: str, most: int) -> str:
    """Return text with zero-width spaces in words longer than `most`, after signs and else at that length.

    >>> breakable("a/b 1234-5678", 6).split("\\u200b")
    ['a/b 1234-', '5678']
    """
    return " ".join(_break(word, most) if len(word) > most else word for word in text.split())


def _break(word: str, most: int) -> str:
    parts = re.split(r"(?<=[-/_.,:=])(?=\w)", word)
    return "\u200b".join(part[i : i + most] for part in parts for i in range(0, len(part), most))
