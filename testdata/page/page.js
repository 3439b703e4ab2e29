// Walks the approval page in a real browser, by keyboard alone, and checks it
// with axe: node page.js approve|deny LINK NAME PASSWORD
const fs = require('node:fs')
const puppeteer = require('puppeteer-core')

const axeSource = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const [decision, link, name, password] = process.argv.slice(2)

function must (ok, what) {
  if (!ok) throw new Error(what)
}

// tabTo moves the focus as a keyboard does, until it is where the selector says.
async function tabTo (page, selector) {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab')
    const found = await page.evaluate(s => document.activeElement.matches(s), selector)
    if (!found) continue
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle)
    must(outline !== 'none', `the focus on ${selector} is not seen`)
    return
  }
  throw new Error(`the keyboard does not reach ${selector}`)
}

// press follows the focused link or button with Enter, and meta refreshes after it.
async function press (page) {
  await Promise.all([page.waitForNavigation({ waitUntil: 'networkidle0', timeout: 20000 }), page.keyboard.press('Enter')])
  await settled(page)
}

async function settled (page) {
  for (let i = 0; i < 100 && await page.$('meta[http-equiv=refresh]').catch(() => true); i++) {
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

const looks = [
  { width: 1280, height: 800, scheme: 'light' },
  { width: 360, height: 740, scheme: 'dark' }
]

let checks = 0
// check runs every rule of axe, wide and in light, narrow and in dark.
async function check (page, what) {
  for (const look of looks) {
    await page.setViewport({ width: look.width, height: look.height })
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: look.scheme }])
    await page.evaluate(axeSource)
    const { violations, incomplete, passes } = await page.evaluate(() => window.axe.run(document))
    checks += passes.length
    for (const v of violations.concat(incomplete)) {
      console.error(`${what} (${look.scheme}): ${v.id}: ${v.help}: ${v.nodes.map(n => n.html).join(' ')}`)
    }
    must(violations.length === 0, `axe finds ${violations.length} violations in ${what}`)
    const wide = await page.evaluate(() => document.scrollingElement.scrollWidth > window.innerWidth)
    must(!wide, `${what} is wider than ${look.width} pixels`)
  }
  console.log(`${what}: 0 violations`)
}

async function text (page) { return page.evaluate(() => document.body.innerText) }

async function signIn (page, checked) {
  await page.goto(link, { waitUntil: 'networkidle0' })
  must(!(await text(page)).includes('DROP') && !(await text(page)).includes('TABLE'), 'the statement is shown to who is not signed in')
  if (checked) await check(page, 'the offer to sign in')
  await tabTo(page, 'a.button')
  await press(page)
  if (checked) await check(page, "the issuer's form")
  await page.focus('body')
  await page.evaluate(() => document.activeElement.blur())
  await tabTo(page, '#login')
  await page.keyboard.type(name)
  await page.keyboard.press('Tab')
  await page.keyboard.type(password)
  await press(page)
  await page.waitForSelector('h2')
}

// fromChat opens the link from a page of another site, as a chat's is.
async function fromChat (page, issuer) {
  await page.goto(issuer + '/device', { waitUntil: 'networkidle0' })
  await page.evaluate(to => { document.querySelector('main').innerHTML = `<a id="chat" href="${to}">look</a>` }, link)
  await tabTo(page, '#chat')
  await press(page)
  await page.waitForSelector('h2')
  must((await text(page)).includes('Signed in as'), 'a link from another site loses who is signed in')
}

async function approve (page) {
  let issuer = ''
  page.on('framenavigated', f => { if (f.url().startsWith('http://')) issuer = new URL(f.url()).origin })
  await signIn(page, true)
  await check(page, 'an approval')
  const shown = await text(page)
  for (const want of ['alice@demo.example', 'demo-pg', 'no-ddl-without-approval', '\\u202e', 'expires in', 'You', 'Digest']) {
    must(shown.includes(want), `the page does not show ${want}`)
  }
  must(!/[\u202a-\u202e\u2066-\u2069]/.test(shown), 'a direction character reaches the page')
  await fromChat(page, issuer)
  await tabTo(page, 'button.no')
  await press(page)
  await check(page, 'a denial without a reason')
  await page.evaluate(() => document.activeElement.blur())
  await tabTo(page, '#comment')
  await page.keyboard.type('as agreed')
  await tabTo(page, 'button.yes')
  await press(page)
  must((await text(page)).includes('approve: as agreed (in a browser)'), 'the answer is not shown')
  await check(page, 'an approval that is answered')
  await tabTo(page, 'a[href="/page/approvals"]')
  await press(page)
  await check(page, 'the list')
  await page.evaluate(() => document.activeElement.blur())
  await tabTo(page, 'header button')
  await press(page)
  must((await text(page)).includes('Signed out'), 'signing out does not work')
  await check(page, 'signed out')
}

// deny does it with script switched off.
async function deny (page) {
  await page.setJavaScriptEnabled(false)
  await signIn(page, false)
  await tabTo(page, '#comment')
  await page.keyboard.type('keep the orders')
  await tabTo(page, 'button.no')
  await press(page)
  must((await text(page)).includes('deny: keep the orders'), 'the answer is not shown')
  console.log('denied with script switched off')
}

async function main () {
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM,
    headless: 'shell',
    args: ['--no-sandbox', '--disable-gpu', `--ignore-certificate-errors-spki-list=${process.env.PIN}`]
  })
  try {
    const page = await browser.newPage()
    const problems = []
    page.on('console', m => { if (m.type() === 'error' && !m.text().includes('favicon')) problems.push(m.text()) })
    await (decision === 'approve' ? approve : deny)(page)
    problems.filter(p => !/ (404|409) /.test(p)).forEach(p => console.error('console:', p))
    if (checks > 0) console.log(`axe: ${checks} checks passed, none failed`)
  } finally {
    await browser.close()
  }
}

main().catch(err => { console.error(err.stack); process.exit(1) })
